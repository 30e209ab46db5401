"""What `kmm retarget` runs inside a Blender without a window: it needs neither the panel nor the engine."""
