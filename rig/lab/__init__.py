"""The laboratory: places and who holds them, their health, bring-up, and the files a lab starts from."""
