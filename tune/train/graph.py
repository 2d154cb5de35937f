"""ONNX graphs as bytes: run one, and write one that depends on the model alone."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import onnxruntime

from actors.models.session import LOG_RETURNS, SCALE
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction
from tune.train.baselines import Predict

_ERRORS_ONLY = 3
_BATCH = "window"
_TALKATIVE = ("torch.onnx", "torch.export", "onnxscript")


def predictor_of(graph: bytes) -> Predict:
    """Return the forecast of a graph on one thread of the CPU, without calibration.

    Raises
    ------
    RuntimeError
        Or another error of onnxruntime, if it cannot run the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def predict(inputs: Inputs) -> Prediction:
        outputs = session.run([LOG_RETURNS, SCALE], {name: inputs[name] for name in names})
        return Prediction(*(np.asarray(each, dtype=np.float64) for each in outputs))

    return predict


def plain_bytes(model: onnx.ModelProto) -> bytes:
    """Return a graph without traces of how and where it was made; the first dimension is called "window".

    Exporters write stack traces, with paths of the machine, beside every node.
    """
    del model.metadata_props[:]
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        _clean(function.node)
    _clean_graph(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _clean_graph(graph: onnx.GraphProto) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    _clean(graph.node)


def _clean(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _clean_graph(attribute.g)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence exporters and converters, which warn of their own internals and of packages that nobody asked for."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
