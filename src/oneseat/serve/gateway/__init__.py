"""The way in for SDKs, editors and scripts: HTTP on the loopback address, in the vendors' own dialects and in oneseat's."""
