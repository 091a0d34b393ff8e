#!/bin/busybox sh
# Init of the guest that usbip-guest boots: attaches the board, lists it, flashes it, and powers off. Each step's
# output stands between markers that usbip-guest reads.

DEVICE=1d50:607f

step() {
    name=$1
    shift
    echo "==== $name begin"
    "$@"
    echo "==== $name exit $?"
}

load_modules() {
    for module in /modules/*.ko; do
        insmod "$module" || return
    done
}

# Tries for ten seconds.
eventually() {
    for _ in $(seq 100); do
        "$@" && return
        usleep 100000
    done
    echo "not within 10 s: $*"
    return 1
}

link_is_up() {
    [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]
}

connect() {
    ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up && eventually link_is_up
}

present() {
    grep -qsi "^PRODUCT=1d50/607f/" /sys/bus/usb/devices/*/uevent
}

absent() {
    ! present
}

# 1: exported and free, 2: somebody has imported it.
status_is() {
    [ "$(cat "/sys/bus/usb/devices/$(keyboard)/usbip_status")" = "$1" ]
}

# 3240 is 0CA8, and 0A is LISTEN: usbipd goes into the background before it listens.
usbipd_listens() {
    grep -qs ":0CA8 [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6
}

keyboard() {
    path=$(grep -ls "^0627" /sys/bus/usb/devices/*/idVendor) || return
    basename "$(dirname "$path")"
}

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /run /var/run
# The kernel must not write into the middle of a marker.
dmesg -n 1

echo "==== up"
step version cat /proc/version
step modules load_modules
step network connect
dmesg -c >/dev/null
# This guest's own usbipd exports qemu's keyboard, and usbip-guest reads it from outside with the rig's client. (It cannot
# be the board: the kernel does not export again what vhci_hcd has attached.)
step keyboard eventually keyboard
step bind usbip bind -b "$(keyboard)"
step serve usbipd -D
step listening eventually usbipd_listens
echo "==== exported"
step taken eventually status_is 2
step given eventually status_is 1
step attach usbip --tcp-port "$usbip_port" attach -r 10.0.2.2 -b 1-1
step arrived eventually present
step lsusb lsusb -v -d "$DEVICE"
step list dfu-util -l
step flash dfu-util -d "$DEVICE" -a 0 -s 0x08005000:leave -D /image.bin
step departed eventually absent
step messages dmesg
poweroff -f
