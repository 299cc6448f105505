"""
The modules of TensorFlow's messages that tensorflow-serving-api imports, without TensorFlow (600 MB): tensorboard has most
of them, as a copy under its own name. Examples and error codes, which it has not, are declared here. Import before
tensorflow_serving.
"""
import importlib
import sys
import types

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_pool = descriptor_pool.Default()
_COPIES = "tensorboard/compat/proto/"
_Field = descriptor_pb2.FieldDescriptorProto


def _file_name(copy):
    name = copy.removeprefix(_COPIES)
    folder = "protobuf" if name == "meta_graph.proto" else "framework"
    return f"tensorflow/core/{folder}/{name}" if copy.startswith(_COPIES) else copy


def _rename(message):
    for field in message.field:
        if field.type_name:
            field.type_name = field.type_name.replace(".tensorboard.", ".tensorflow.")
    for nested in message.nested_type:
        _rename(nested)


def _add_copy(descriptor):
    """Adds a file of tensorboard's, and what it imports, under the names that TensorFlow gives them."""
    for dependency in descriptor.dependencies:
        if dependency.name.startswith(_COPIES):
            _add_copy(dependency)
    file = descriptor_pb2.FileDescriptorProto.FromString(descriptor.serialized_pb)
    file.name = _file_name(file.name)
    file.package = "tensorflow"
    file.dependency[:] = [_file_name(name) for name in file.dependency]
    for message in file.message_type:
        _rename(message)
    _pool.AddSerializedFile(file.SerializeToString())


def _message(file, name, **fields):
    """Adds a message with fields given as name=(number, type); a type is a name of a message, or of a scalar in [ ]."""
    message = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        added = message.field.add(name=field, number=number)
        added.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        if isinstance(kind, int):
            added.type = kind
        else:
            added.type, added.type_name = _Field.TYPE_MESSAGE, f".tensorflow.{kind}"
    return message


def _add_examples():
    file = descriptor_pb2.FileDescriptorProto(
        name="tensorflow/core/example/example.proto", package="tensorflow", syntax="proto3"
    )
    _message(file, "BytesList", value=(1, [_Field.TYPE_BYTES]))
    _message(file, "FloatList", value=(1, [_Field.TYPE_FLOAT]))
    _message(file, "Int64List", value=(1, [_Field.TYPE_INT64]))
    lists = {"bytes_list": (1, "BytesList"), "float_list": (2, "FloatList"), "int64_list": (3, "Int64List")}
    feature = _message(file, "Feature", **lists)
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = _message(file, "Features", feature=(1, ["Features.FeatureEntry"]))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    optional = _Field.LABEL_OPTIONAL
    entry.field.add(name="key", number=1, label=optional, type=_Field.TYPE_STRING)
    entry.field.add(name="value", number=2, label=optional, type=_Field.TYPE_MESSAGE, type_name=".tensorflow.Feature")
    _message(file, "Example", features=(1, "Features"))
    _pool.AddSerializedFile(file.SerializeToString())


def _add_error_codes():
    file = descriptor_pb2.FileDescriptorProto(
        name="tensorflow/core/protobuf/error_codes.proto", package="tensorflow.error", syntax="proto3"
    )
    code = file.enum_type.add(name="Code")
    for number, name in enumerate(
        "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
        "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
        "UNAUTHENTICATED".split()
    ):
        code.value.add(name=name, number=number)
    _pool.AddSerializedFile(file.SerializeToString())


def _provide(file_name):
    """Makes a file importable as the module that protoc would have written."""
    file = _pool.FindFileByName(file_name)
    module = types.ModuleType(file_name.removesuffix(".proto").replace("/", ".") + "_pb2")
    module.DESCRIPTOR = file
    for name, message in file.message_types_by_name.items():
        setattr(module, name, message_factory.GetMessageClass(message))
    for name, enum in file.enum_types_by_name.items():
        setattr(module, name, enum_type_wrapper.EnumTypeWrapper(enum))
        for value in enum.values:
            setattr(module, value.name, value.number)
    parts = module.__name__.split(".")
    for end in range(1, len(parts)):
        package = sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
        package.__path__ = []
        if end > 1:
            setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], package)
    sys.modules[module.__name__] = module
    setattr(sys.modules[".".join(parts[:-1])], parts[-1], module)
    return module


_add_copy(importlib.import_module("tensorboard.compat.proto.meta_graph_pb2").DESCRIPTOR)
_add_examples()
_add_error_codes()
for _name in ("framework/tensor", "framework/types", "example/example", "protobuf/meta_graph", "protobuf/error_codes"):
    _provide(f"tensorflow/core/{_name}.proto")
# Generated code asks for the module of a file that this one imports in TensorFlow, and does not use it.
sys.modules["tensorflow.core.protobuf.error_codes_pb2"].xla_dot_tsl_dot_protobuf_dot_error__codes__pb2 = None
