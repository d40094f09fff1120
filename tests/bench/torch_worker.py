"""PyTorch's side of the comparison: a process that stays alive, reads a JSON request a line and answers with a JSON line.

Started by compare.py, which sets the environment that PyTorch needs to be at its best (see sides.py).  Each request builds its network anew,
so that no figure depends on how far an earlier one trained it."""
import json
import resource
import sys

import numpy
import torch
import torch.nn.functional as F

import torch_models as models
from timing import median_seconds

SHAPES = {"w1": (1, 28, 28), "w2": (784,), "w3": (3, 32, 32), "w6": (28, 28)}


def network(request):
    if request["workload"] == "w4":
        return models.W4(request.get("dropout", 0.1))
    if request["workload"] == "w6":
        return models.W6(request.get("by_hand", False))
    return {"w1": models.W1, "w2": models.W2, "w3": models.W3}[request["workload"]]()


def random_data(request):
    torch.manual_seed(1)
    batch = request["batch"]
    if request["workload"] == "w4":
        return {name: torch.randint(0, models.VOCABULARY, (batch, models.WINDOW), dtype=torch.int32) for name in ("tokens", "next")}
    return {"image": torch.rand(batch, *SHAPES[request["workload"]]), "label": torch.randint(0, 10, (batch,), dtype=torch.int32)}


def optimizer_of(request, net):
    foreach = request.get("foreach", False)
    if request["workload"] == "w3":
        return torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, foreach=foreach)
    if request["workload"] == "w4":
        return torch.optim.AdamW(net.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, foreach=foreach)
    return torch.optim.Adam(net.parameters(), lr=1e-3, foreach=foreach)


def prepare(request, data):
    """The network and its inputs in the layout asked for; with jit, traced."""
    net = network(request)
    if "weights" in request:
        found = models.read_safetensors(request["weights"])
        net.load_state_dict({name: found[name] for name in net.state_dict() if not name.endswith("num_batches_tracked")}, strict=False)
    x, y = (t.long() if t.dtype == torch.int32 else t for t in data.values())
    if request.get("channels_last"):
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return net, x, y


def trainer(request, data):
    net, x, y = prepare(request, data)
    optimizer = optimizer_of(request, net)
    forward = torch.jit.trace(net, x, check_trace=False) if request.get("jit") else net
    clip = request["workload"] == "w4"

    def step():
        logits = forward(x)
        loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss

    return step


def predictor(request, data):
    net, x, _ = prepare(request, data)
    net.eval()
    if request.get("jit"):
        with torch.no_grad():
            net = torch.jit.freeze(torch.jit.trace(net, x, check_trace=False))
            if request["jit"] == "optimized":
                net = torch.jit.optimize_for_inference(net)

    def run():
        with torch.inference_mode():
            net(x)

    return run


def export(request, data):
    """The network in evaluation as an ONNX file, its input and output beside it, for onnx_worker.py."""
    net, x, _ = prepare(request, data)
    net.eval()
    torch.onnx.export(net, x, request["model"], input_names=["image"], output_names=["logits"])
    with torch.inference_mode():
        numpy.save(request["input"], x.numpy())
        numpy.save(request["output"], net(x).numpy())


def answer(request):
    torch.set_num_threads(request.get("threads", 1))
    kind = request["do"]
    if kind == "gemm":
        a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
        return {"flops": 2 * 1024**3 / median_seconds(lambda: a @ b, 0.5)}
    if kind == "data":
        models.write_safetensors(request["path"], random_data(request))
        return {}
    if kind == "export":
        export(request, random_data(request))
        return {}
    if kind == "difference":
        expected = numpy.load(request["output"])
        logits = models.read_safetensors(request["ours"])["logits"].numpy()
        return {"difference": float(numpy.abs(logits - expected).max() / numpy.abs(expected).max())}
    if kind == "quantize":
        from onnx_quantize import quantize  # which is all that needs a further package
        quantize(request["model"], request["input"], request["quantized"], request["convolutions"])
        return {}
    if kind == "losses":
        step = trainer(request, models.read_safetensors(request["data"]))
        return {"losses": [step().item() for _ in range(request["steps"])]}
    work = {"train": trainer, "predict": predictor}[kind](request, random_data(request))
    if request.get("once"):
        return {"loss": work().item()}
    seconds = median_seconds(work, request["seconds"])
    return {"seconds": seconds, "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main():
    torch.set_flush_denormal(True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
