"""Why a sample is suspicious: a short, fixed vocabulary."""

REASONS = (
    "looks like another class",
    "fits no class",
    "hard to learn",
)
