"""What lies under families and is no test of the rig: a package of its own, which tests install."""

collect_ignore = ["pinboard"]
