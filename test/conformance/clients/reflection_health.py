"""What a client without any .proto file can do, as grpcurl does; and the standard health service."""
import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from checks import PATIENCE, check, equal, expect, run, servers

plain = servers["plain"]
channel = grpc.insecure_channel(plain["grpc"])
reflection = ProtoReflectionDescriptorDatabase(channel)
health = health_pb2_grpc.HealthStub(channel)

SERVICES = {
    "grpc.health.v1.Health",
    "inference.GRPCInferenceService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
}


def call(service, method, request):
    """Calls a method by what reflection tells of it alone. Takes and gives plain objects."""
    found = descriptor_pool.DescriptorPool(reflection).FindServiceByName(service).FindMethodByName(method)
    types = [message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type)]
    invoke = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=types[0].SerializeToString,
        response_deserializer=types[1].FromString,
    )
    answer = invoke(json_format.ParseDict(request, types[0]()), timeout=PATIENCE)
    return json_format.MessageToDict(answer, preserving_proto_field_name=True)


@check("reflection lists the services")
def _():
    services = set(reflection.get_services())
    expect(SERVICES <= services, f"{SERVICES - services} are missing in {services}")


for name in sorted(SERVICES):

    @check(f"reflection describes {name}")
    def _(name=name):
        service = descriptor_pool.DescriptorPool(reflection).FindServiceByName(name)
        expect(len(service.methods) > 0, "no methods")
        for method in service.methods:
            message_factory.GetMessageClass(method.input_type)
            message_factory.GetMessageClass(method.output_type)


@check("reflection says so where a symbol is unknown")
def _():
    try:
        reflection.FindFileContainingSymbol("no.such.Thing")
    except KeyError:
        return
    raise AssertionError("it was found")


@check("a call by reflection alone: metadata")
def _():
    answer = call("inference.GRPCInferenceService", "ModelMetadata", {"name": "plain"})
    equal([(one["name"], one["datatype"], one["shape"]) for one in answer["inputs"]], [("x", "FP32", ["-1", "4"])])


@check("a call by reflection alone: inference")
def _():
    x = {"name": "x", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": [1, 2, 3, "NaN"]}}
    answer = call("inference.GRPCInferenceService", "ModelInfer", {"model_name": "plain", "inputs": [x]})
    equal([(one["name"], one["shape"]) for one in answer["outputs"]], [("x.out", ["1", "4"])])


@check("health: the server, and each service")
def _():
    for name in ["", "inference.GRPCInferenceService", "tensorflow.serving.PredictionService"]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
        equal(answer.status, health_pb2.HealthCheckResponse.SERVING, name)


@check("health: an unknown service is NOT_FOUND")
def _():
    try:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Thing"), timeout=PATIENCE)
    except grpc.RpcError as error:
        return equal(error.code(), grpc.StatusCode.NOT_FOUND)
    raise AssertionError("it was found")


@check("health: a watch begins with the state, and ends when the client says")
def _():
    for name, status in [("", "SERVING"), ("no.such.Thing", "SERVICE_UNKNOWN")]:
        watch = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
        equal(health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status), status, name)
        watch.cancel()


run()
