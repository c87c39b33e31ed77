"""Files and folders: atomic writes, the cache of decoded images, walking, decoding pictures."""
