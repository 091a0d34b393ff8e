"""The Spark Core that is not there: its memories, bootloader, DFU and application, and the process around them."""
