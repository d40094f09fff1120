"""A network that PyTorch exported, quantized to 8 bits as onnxruntime.quantization.quantize_static does it, a Python package that Debian has not.

The format is QDQ: a quantized tensor is made integers and f32 again at once, and ONNX Runtime fuses these pairs with the operators between
them. Activations are u8 of the range seen, weights s8 symmetric for each output channel: the types of its fastest kernels on x86."""
import numpy
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

# Weights of 7 bits: where a processor has no VNNI, products of two pairs of bytes are added in 16 bits, which 8 bits overflow.
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
PRODUCTS, ALL = {"Gemm"}, FORMULAS.keys() - {"Identity", "Relu"}


def evaluate(graph, values):
    """Adds every node's output to the values by name."""
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = FORMULAS[node.op_type](attributes, *(values[name] for name in node.input))


class Quantizer:
    def __init__(self, graph, image, operators):
        self.graph, self.operators = graph, operators
        self.values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.values["image"] = torch.from_numpy(image)
        evaluate(graph, self.values)
        self.activations = {name for node in graph.node if node.op_type in operators for name in self.activations_of(node)}
        self.nodes, self.scales = [], {}

    @staticmethod
    def activations_of(node):
        return node.input[:1] if node.op_type in ("Conv", "Gemm") else node.input

    def constant(self, name, array):
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def quantize_activation(self, name, source):
        low, high = (min(0, self.values[name].min().item()), max(0, self.values[name].max().item()))
        scale = self.scales[name] = (high - low) / 255
        parameters = [self.constant(name + "_scale", numpy.float32(scale)), self.constant(name + "_zero", numpy.uint8(round(-low / scale)))]
        integers = self.add("QuantizeLinear", [source, *parameters], name + "_integers")
        self.add("DequantizeLinear", [integers, *parameters], name + "_dequantized")

    def quantized_constant(self, name, scales, dtype):
        value = self.values[name].numpy()
        integers = numpy.rint(value / scales.reshape(-1, *[1] * (value.ndim - 1))).astype(dtype)
        inputs = [self.constant(name + "_integers", integers), self.constant(name + "_scale", scales.astype(numpy.float32)),
                  self.constant(name + "_zero", numpy.zeros(len(scales), dtype))]
        return self.add("DequantizeLinear", inputs, name + "_dequantized", axis=0)

    def quantized_weights(self, activation, weight, bias=None):
        scales = self.values[weight].flatten(1).abs().amax(1).numpy() / LARGEST_WEIGHT
        yield self.quantized_constant(weight, scales, numpy.int8)
        if bias:
            yield self.quantized_constant(bias, scales * self.scales[activation], numpy.int32)

    def rewrite(self, node):
        output = node.output[0]
        quantized = output in self.activations
        # Numbers from 0 on are what is left of others when they are made u8 of this range.
        if node.op_type == "Relu" and quantized:
            self.quantize_activation(output, node.input[0])
            return
        inputs = [name + "_dequantized" if name in self.activations else name for name in node.input]
        if node.op_type in self.operators & {"Conv", "Gemm"}:
            inputs[1:] = self.quantized_weights(*node.input)
        node.input[:] = inputs
        self.nodes.append(node)
        if quantized:
            self.quantize_activation(output, output)

    def run(self):
        if "image" in self.activations:
            self.quantize_activation("image", "image")
        for node in self.graph.node:
            self.rewrite(node)
        nodes = [*self.nodes]
        del self.graph.node[:]
        self.graph.node.extend(nodes)


def quantize(model_path, input_path, output_path, convolutions=True):
    """The input is what activations' ranges are taken from. Without convolutions, matrix products alone are quantized, which is faster where
    convolutions of few channels would not gain what the rest saves."""
    model = onnx.load(model_path)
    Quantizer(model.graph, numpy.load(input_path), ALL if convolutions else PRODUCTS).run()
    onnx.save(model, output_path)
