"""The words every part of oneseat shares: data, errors and ports. No behaviour, standard library and msgspec only."""
