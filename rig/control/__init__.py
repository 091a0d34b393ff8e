"""How control ports are reached: where they are, who may ask there, and which files a request may name."""
