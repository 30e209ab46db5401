"""Foot contacts: which of the ankles and toes stand on the floor, read from heights and speeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmm.skeleton import CONTACT_JOINTS

#: Height of each contact joint above the floor when the foot stands flat, metres (ankle, toe, ankle, toe).
REST_HEIGHT = np.array([0.08, 0.02, 0.08, 0.02])
#: A joint enters contact below the first height and speed and leaves it above the second: metres, metres a second.
#: Recorded feet slide by up to 0.15 m/s while standing, so the speeds are well above that.
HEIGHT_ON, HEIGHT_OFF = 0.04, 0.07
SPEED_ON, SPEED_OFF = 0.35, 0.7


def hysteresis(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """State along axis 0 that turns on where `on`, turns off where `off`, and otherwise stays; starts off."""
    change = np.where(on, 1, np.where(off, 0, -1))
    index = np.where(change >= 0, np.arange(len(on)).reshape(-1, *[1] * (on.ndim - 1)), -1)
    last = np.maximum.accumulate(index, axis=0)
    state = np.take_along_axis(change, np.maximum(last, 0), axis=0) == 1
    return np.asarray(state & (last >= 0))


def foot_contacts(joints: NDArray[np.floating], fps: float) -> NDArray[np.float32]:
    """(T, 4) 0 or 1 for left ankle, left foot, right ankle, right foot, from joints (T, 22, 3) over floor z = 0."""
    feet = np.asarray(joints)[:, list(CONTACT_JOINTS)]
    if len(feet) == 0:
        return np.zeros((0, 4), np.float32)
    # central differences over two frames each way: single noisy frames do not break a contact
    padded = np.concatenate([feet[:1], feet[:1], feet, feet[-1:], feet[-1:]])
    span = np.minimum(np.arange(len(feet)) + 2, len(feet) - 1) - np.maximum(np.arange(len(feet)) - 2, 0)
    step = np.linalg.norm(padded[4:] - padded[:-4], axis=-1)
    speed = step * fps / np.maximum(span, 1)[:, None]
    height = feet[..., 2] - REST_HEIGHT
    on = (height < HEIGHT_ON) & (speed < SPEED_ON)
    off = (height > HEIGHT_OFF) | (speed > SPEED_OFF)
    forward = hysteresis(on, off)
    backward = hysteresis(on[::-1], off[::-1])[::-1]
    # both ways in time, so that the contact of a mirrored or reversed clip is the same
    return (forward | backward).astype(np.float32)
