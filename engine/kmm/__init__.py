"""KMM: text to motion with a Key Frame Mask Mamba. The light half needs numpy, pyzmq and msgpack only."""

__version__ = "0.1.0"
