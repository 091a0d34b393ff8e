"""Which release a device is to run: the newest that is meant for it, by group, by device or by a share of all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from rig.errors import Misuse
from rig.limits import refuse_more
from rig.servers.https.published_files import Published


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a product and its image; whom it is for.

    Without `groups` and `devices` it is for everybody, with them for those. Of these, `percentage` get it: a device
    that gets it at 10 gets it at 50 too.
    """

    version: str
    image: Published
    percentage: float = 100.0
    groups: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises Misuse for what no release is."""
        if not self.version.isprintable() or not self.version:
            raise Misuse("a release needs a version", hint="as devices report it")
        if not 0 <= self.percentage <= 100:
            raise Misuse(f"{self.percentage} % of all devices cannot be")

    def replaces(self, other: Release) -> bool:
        """Whether it is the same version for the same devices, whatever the image and the share of them."""
        mine, theirs = ((one.version, one.groups, one.devices) for one in (self, other))
        return mine == theirs

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "version": self.version,
            "image": self.image.to_dict(),
            "percentage": self.percentage,
            "groups": sorted(self.groups),
            "devices": sorted(self.devices),
        }


@dataclass(slots=True)
class Policy:
    """Releases of products, newest first, and groups of devices."""

    products: dict[str, list[Release]] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)

    def release(self, product: str, release: Release) -> None:
        """Make this the newest of a product; the same version for the same devices is replaced. Raises Misuse."""
        self.refuse_more()
        older = [other for other in self.products.get(product, []) if not release.replaces(other)]
        self.products[product] = [release, *older]

    def refuse_more(self) -> None:
        """Raises Misuse where there is no room for another release."""
        refuse_more([each for releases in self.products.values() for each in releases], "releases")

    def withdraw(self, product: str | None, version: str | None, device: str | None) -> list[Release]:
        """Take releases back: of a product or of any, of a version or of any; with `device` those for it alone.

        Returns them. What is released to more devices stays released to the others.
        """
        gone: list[Release] = []
        for name in list(self.products) if product is None else [product]:
            kept = []
            for release in self.products.get(name, []):
                rest = _without(release, device) if version in (None, release.version) else release
                kept += [rest] if rest is not None else []
                gone += [release] if rest is not release else []
            self.products[name] = kept
            if not kept:
                del self.products[name]
        return gone

    def images(self) -> set[str]:
        """Paths of all images that are released."""
        return {release.image.path for releases in self.products.values() for release in releases}

    def newest(self, product: str, device: str | None) -> Release | None:
        """The newest release that is meant for a device; None where none is."""
        mine = {name for name, members in self.groups.items() if device in members}
        for release in self.products.get(product, []):
            is_for_some = release.groups or release.devices
            is_meant = not is_for_some or device in release.devices or bool(release.groups & mine)
            if is_meant and share(product, release.version, device) < release.percentage:
                return release
        return None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        products = {name: [release.to_dict() for release in releases] for name, releases in self.products.items()}
        return {"products": products, "groups": {name: sorted(members) for name, members in self.groups.items()}}


def _without(release: Release, device: str | None) -> Release | None:
    """What is left of a release that a device is to get no more; None for all devices."""
    if device is None or (release.devices == {device} and not release.groups):
        return None
    return replace(release, devices=release.devices - {device}) if device in release.devices else release


def share(product: str, version: str, device: str | None) -> float:
    """Where a device stands in a staged release: from 0 up to, not including, 100; the same whenever it asks."""
    digest = hashlib.sha256(f"{product}\n{version}\n{device}".encode()).digest()
    return int.from_bytes(digest[:4], "big") * 100 / (1 << 32)
