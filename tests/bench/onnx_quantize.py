"""A network that PyTorch exported, quantized to 8 bits as onnxruntime.quantization.quantize_static does it (a Python package that Debian has
not) with QuantFormat.QDQ, activations QUInt8, weights QInt8, per_channel and reduce_range: what ONNX Runtime runs fastest on x86.

QDQ: a tensor is made integers and f32 again at once, and ONNX Runtime fuses these pairs with the operators between them."""
import numpy
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

# Not 127: a processor without VNNI adds two products of bytes in 16 bits, which then saturate.
LARGEST_WEIGHT = 64

FORMULAS = {
    "Add": lambda _, x, y: x + y,
    "Conv": lambda a, x, weight, bias=None: F.conv2d(x, weight, bias, a["strides"], a["pads"][:2]),
    "Flatten": lambda a, x: x.flatten(a["axis"]),
    "Gemm": lambda _, x, weight, bias: F.linear(x, weight, bias),
    "Identity": lambda _, x: x,
    "MaxPool": lambda a, x: F.max_pool2d(x, a["kernel_shape"], a["strides"]),
    "ReduceMean": lambda a, x: x.mean(a["axes"]),
    "Relu": lambda _, x: x.relu(),
}
WEIGHTED = {"Conv", "Gemm"}
ALL = WEIGHTED | {"Add", "Flatten", "MaxPool", "ReduceMean"}


def evaluate(graph, values):
    """Adds the output of every node to the values by name."""
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = FORMULAS[node.op_type](attributes, *(values[name] for name in node.input))


def activations_of(node):
    return node.input[:1] if node.op_type in WEIGHTED else node.input


class Quantizer:
    def __init__(self, graph, image, operators):
        self.graph, self.operators = graph, operators
        self.values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.values["image"] = torch.from_numpy(image)
        evaluate(graph, self.values)
        self.quantized = {name for node in graph.node if node.op_type in operators for name in activations_of(node)}
        self.nodes, self.scales = [], {}

    def constant(self, name, array):
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def quantize_activation(self, name, source):
        low, high = min(0, self.values[name].min().item()), max(0, self.values[name].max().item())
        scale = self.scales[name] = (high - low) / 255
        parameters = [self.constant(name + "_scale", numpy.float32(scale)), self.constant(name + "_zero", numpy.uint8(round(-low / scale)))]
        integers = self.add("QuantizeLinear", [source, *parameters], name + "_integers")
        self.add("DequantizeLinear", [integers, *parameters], name + "_dequantized")

    def quantized_constant(self, name, scales, dtype):
        """A scale for each of its first axis."""
        value = self.values[name].numpy()
        integers = numpy.rint(value / scales.reshape(-1, *[1] * (value.ndim - 1))).astype(dtype)
        inputs = [self.constant(name + "_integers", integers), self.constant(name + "_scale", scales),
                  self.constant(name + "_zero", numpy.zeros(len(scales), dtype))]
        return self.add("DequantizeLinear", inputs, name + "_dequantized", axis=0)

    def quantized_weights(self, activation, weight, bias=None):
        scales = self.values[weight].flatten(1).abs().amax(1).numpy() / numpy.float32(LARGEST_WEIGHT)
        yield self.quantized_constant(weight, scales, numpy.int8)
        if bias:
            yield self.quantized_constant(bias, scales * numpy.float32(self.scales[activation]), numpy.int32)

    def rewrite(self, node):
        output = node.output[0]
        if node.op_type == "Relu" and output in self.quantized:
            self.quantize_activation(output, node.input[0])  # cuts off what is below this range, which begins at 0
            return
        inputs = [name + "_dequantized" if name in self.quantized else name for name in node.input]
        if node.op_type in self.operators & WEIGHTED:
            inputs[1:] = self.quantized_weights(*node.input)
        node.input[:] = inputs
        self.nodes.append(node)
        if output in self.quantized:
            self.quantize_activation(output, output)

    def run(self):
        if "image" in self.quantized:
            self.quantize_activation("image", "image")
        for node in self.graph.node:
            self.rewrite(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)


def quantize(model_path, input_path, output_path, convolutions=True):
    """The input decides the ranges of activations. Without convolutions, matrix products alone are quantized: a convolution of a single input
    channel is faster in f32, since ONNX Runtime has no integer kernel for it that does without a matrix of its patches."""
    model = onnx.load(model_path)
    Quantizer(model.graph, numpy.load(input_path), ALL if convolutions else {"Gemm"}).run()
    onnx.save(model, output_path)
