"""Tests of the server's pure parts."""
