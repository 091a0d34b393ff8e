#!/bin/sh -e
# Makes the places, once, at the coordinator that LG_COORDINATOR names.
# What a tag means: places/README.md of ota-rig. `set-tags NAME=` takes one away.

labgrid-client -p esp32-01 create
labgrid-client -p esp32-01 add-match '*/esp32-01/*'
labgrid-client -p esp32-01 set-tags board=esp32 revision=v3.0 mac=240ac4000001 boot=wired reset=wired bridge=always feeds=all relay_ms=10 wifi=none timing=real tier=unknown health=ok

labgrid-client -p core-01 create
labgrid-client -p core-01 add-match '*/core-01/*'
labgrid-client -p core-01 set-tags board=spark-core generation=b revision=white mode=wired reset=wired feeds=all relay_ms=10 wifi=none timing=real busid=1-1 tier=unknown health=ok
