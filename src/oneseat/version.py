"""The version of oneseat, for every floor."""

__version__ = "0.1.0"
