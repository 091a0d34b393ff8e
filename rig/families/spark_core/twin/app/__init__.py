"""What runs on a Core once its bootloader has started an application: system firmware by version, and user code."""
