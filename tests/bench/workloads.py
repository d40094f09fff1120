"""What is compared: the workloads, and the targets that stand for them."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Workload:
    title: str
    batch: int
    unit: str  # of speed
    per_sample: int  # units a sample
    tolerance: float  # relative, of the loss after LOSS_STEPS steps from the same weights
    variants: dict = field(default_factory=dict)  # what PyTorch may be faster with: each is tried
    check: tuple = ()  # constants of the model file when losses are compared


# Losses of two implementations that both round to f32 differ by some 1e-7 relative at the first step; a wrong gradient, moment or
# decay shows in the second digit from the second step on.  In between lies what training multiplies: an activation within rounding of 0 falls on the
# other side of relu and changes a gradient by its share of the batch; batch norm over 3 to 6 products multiplies that (w3).
LOSS_STEPS = 6
SWITCHES = {"foreach": (False, True), "jit": (False, True)}
LAYOUTS = {"channels_last": (False, True)}

WORKLOADS = {
    "w1": Workload("W1 Keras' MNIST network", 128, "images/s", 1, 1e-5, {**LAYOUTS, **SWITCHES}),
    "w2": Workload("W2 MLP 784-500-10", 500, "images/s", 1, 1e-5, SWITCHES),
    "w3": Workload("W3 ResNet-20", 128, "images/s", 1, 5e-4, {**LAYOUTS, **SWITCHES}),
    "w4": Workload("W4 GPT", 8, "tokens/s", 256, 1e-5, SWITCHES, ("drop=0",)),
    "w6": Workload("W6 LSTM", 128, "images/s", 1, 1e-5, {"by_hand": (False, True), **SWITCHES}),
}

# bf16 keeps 8 bits of an operand: losses follow those of f32 to a few of these roundings.
BF16_TOLERANCE = 5e-3

# Of the largest logit: f32 sums of up to 21632 products in another order, and minimal filtering, which either may choose.
OUTPUT_TOLERANCE = 1e-4

# The same of networks in integers of 8 bits: roundings by up to 1/254 of a range at every layer. Sums that saturate are off by a tenth.
INTEGER_TOLERANCE = 5e-2

# The least (most, for times and bytes) that counts as met; peers' speeds are ratios.
TARGETS = {
    "train w1": 4.0, "train w2": 1.8, "train w3": 1.6, "train w4": 1.4, "train w6": 3.5,
    "train batch 1": 3.0, "second thread at batch 1": 1.0,
    "predict w1": 1.6, "predict w3": 1.3, "predict int8": 1.8,
    "bf16 with AMX": 2.5, "bf16 without AMX": 0.9,
    "two threads over one": 1.85, "time in 40% of memory": 1.35,
    "contraction": 1.0, "contraction of peak": 0.9,
    "first step cold": 0.25, "first step cached": 0.05, "check": 0.02,
    "memory w1": 64 << 20, "memory w4": 450 << 20,
}
