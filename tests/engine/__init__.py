"""Tests of the engine alone, most of them in virtual time."""
