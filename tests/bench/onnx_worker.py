"""ONNX Runtime's side of the comparison: a process like torch_worker.py's, over the C interface of the shared library that its argument names,
so that a run of it costs two calls and nothing of a binding.

A request names a model, its input and the output that PyTorch computed from it; the answer is how far the outputs differ and how long a run
takes."""
import ctypes
import json
import sys

import numpy

from timing import median_seconds

# Where the functions stand in the library's table of them, which only grows at its end.
GET_ERROR_MESSAGE, CREATE_ENVIRONMENT, CREATE_SESSION, RUN = 2, 3, 7, 9
CREATE_SESSION_OPTIONS, SET_GRAPH_OPTIMIZATION_LEVEL, SET_INTRA_OP_THREADS = 10, 23, 24
CREATE_TENSOR_WITH_DATA, CREATE_CPU_MEMORY_INFO = 49, 69
RELEASE_SESSION, RELEASE_VALUE, RELEASE_SESSION_OPTIONS = 95, 96, 100

API_VERSION = 16  # the least that has all of these, so that any newer library serves
LOG_ERRORS, ALL_OPTIMIZATIONS, ARENA_ALLOCATOR, DEFAULT_MEMORY, FLOAT = 3, 99, 1, 0, 1


class ApiBase(ctypes.Structure):
    _fields_ = [("get_api", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)), ("version", ctypes.CFUNCTYPE(ctypes.c_char_p))]


class Library:
    def __init__(self, path):
        library = ctypes.CDLL(path)
        library.OrtGetApiBase.restype = ctypes.POINTER(ApiBase)
        base = library.OrtGetApiBase().contents
        self.version = base.version().decode()
        self.table = ctypes.cast(base.get_api(API_VERSION), ctypes.POINTER(ctypes.c_void_p))
        self.message = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(self.table[GET_ERROR_MESSAGE])
        self.environment = self.create(CREATE_ENVIRONMENT, ctypes.c_int(LOG_ERRORS), b"mlc")
        self.memory = self.create(CREATE_CPU_MEMORY_INFO, ctypes.c_int(ARENA_ALLOCATOR), ctypes.c_int(DEFAULT_MEMORY))

    def function(self, position):
        return ctypes.CFUNCTYPE(ctypes.c_void_p)(self.table[position])

    def call(self, position, *arguments):
        self.require(self.function(position)(*arguments))

    def require(self, status):
        if status:
            raise RuntimeError(self.message(status).decode())

    def create(self, position, *arguments):
        made = ctypes.c_void_p()
        self.call(position, *arguments, ctypes.byref(made))
        return made

    def release(self, position, thing):
        self.function(position)(thing)

    def tensor(self, array):
        """Over the array's own memory."""
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        return self.create(CREATE_TENSOR_WITH_DATA, self.memory, ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes), shape,
                           ctypes.c_size_t(array.ndim), ctypes.c_int(FLOAT))


def answer(library, request):
    options = library.create(CREATE_SESSION_OPTIONS)
    library.call(SET_GRAPH_OPTIMIZATION_LEVEL, options, ctypes.c_int(ALL_OPTIMIZATIONS))
    library.call(SET_INTRA_OP_THREADS, options, ctypes.c_int(request["threads"]))
    session = library.create(CREATE_SESSION, library.environment, request["model"].encode(), options)
    image, expected = numpy.load(request["input"]), numpy.load(request["output"])
    logits = numpy.zeros_like(expected)
    inputs, outputs = (ctypes.c_void_p * 1)(library.tensor(image).value), (ctypes.c_void_p * 1)(library.tensor(logits).value)
    input_names, output_names = (ctypes.c_char_p * 1)(b"image"), (ctypes.c_char_p * 1)(b"logits")
    function, one = library.function(RUN), ctypes.c_size_t(1)

    def run():
        library.require(function(session, None, input_names, inputs, one, output_names, one, outputs))

    run()
    difference = float(numpy.abs(logits - expected).max() / numpy.abs(expected).max())
    seconds = median_seconds(run, request["seconds"])
    for value in (inputs[0], outputs[0]):
        library.release(RELEASE_VALUE, ctypes.c_void_p(value))
    library.release(RELEASE_SESSION, session)
    library.release(RELEASE_SESSION_OPTIONS, options)
    return {"seconds": seconds, "difference": difference, "version": library.version}


def main():
    library = Library(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(answer(library, json.loads(line))), flush=True)


main()
