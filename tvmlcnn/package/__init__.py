"""From a lowered module to the one file: code, link, manifest, and the check of the result."""
