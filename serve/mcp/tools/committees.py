"""Neural clusters: named sets of models that answer together, and training by several workers.

What the word stands for elsewhere (nodes of one's own, a mesh, consensus, WebAssembly) does not exist here and is refused by name.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from pydantic import Field

from serve.desk.answers import Answer, Provenance, Source, moment
from serve.desk.principal import Permission
from serve.mcp.call import Call, Caller
from serve.mcp.committees import Committee, Committees
from serve.mcp.device import UseGpu
from serve.mcp.long_work import WAIT_S, JobReport, WaitSeconds, now, worked
from serve.mcp.tool import tool
from serve.mcp.tools.neural import Epochs, trainers_choice
from serve.mcp.toolsets import Toolset
from trading.errors import UsageError

STAR = "star"
AGGREGATIONS = {"ensemble": "median"}
"""What others call it."""
ClusterName = Annotated[str, Field(max_length=63)]


class ClusterFacts(Provenance):
    cluster_id: str
    status: str
    topology: str
    members: list[str]
    created_by: str
    created_at: datetime


class NodeFacts(Answer):
    model: str
    architecture: str
    part: str
    is_loaded: bool = Field(description="In the replica that answers.")
    runs: int = Field(description="Of that replica.")
    horizon: int
    crps: float | None


class ClusterStatus(ClusterFacts):
    nodes: list[NodeFacts]
    replica: str
    requests: int = Field(description="Forecasts that the answering replica was asked for.")
    p50_ms: float | None
    p99_ms: float | None


@tool(Toolset.CLUSTER, Permission.MODEL_ADMIN, changes=True)
def neural_cluster_init(
    call: Caller,
    *,
    name: ClusterName,
    models: Annotated[
        list[str] | None, Field(description="nhits@champion, lstm@2 ...; none: every champion.")
    ] = None,
    architecture: Annotated[
        str | None, Field(description="With no models given: champions of this kind alone.")
    ] = None,
    topology: Annotated[str, Field(description="star: one asks all. No other exists.")] = STAR,
) -> ClusterFacts:
    """Name a set of registered models that shall answer together; every replica knows it from then on."""
    from serve.mcp.training import kind_of

    if topology != STAR:
        raise UsageError(
            f"There is no topology {topology!r} here: one caller asks all models and puts their answers together (star)."
        )
    known = _committees(call)
    members = models or known.champions(kind_of(architecture) if architecture else "")
    return ClusterFacts(**_facts(known.create(name, members, call.by.name), "created"))


@tool(Toolset.CLUSTER)
def neural_cluster_status(call: Caller, cluster_id: ClusterName) -> ClusterStatus:
    """Show the members of a cluster, whether each is loaded, and how the answering replica does."""
    service = call.desk.forecasts
    found = _committees(call).get(cluster_id)
    status = service.status()
    loaded = {each.model: each.runs for each in status.models}
    nodes = [_node(call, reference, loaded) for reference in found.members]
    return ClusterStatus(
        **_facts(found, "ready" if service.is_ready else "starting"),
        nodes=nodes,
        replica=status.replica,
        requests=status.asked,
        p50_ms=status.p50_ms,
        p99_ms=status.p99_ms,
    )


@tool(Toolset.CLUSTER, answer="serve.mcp.together:JointForecast")
async def neural_predict_distributed(
    call: Caller,
    *,
    cluster_id: ClusterName,
    input_data: Annotated[
        dict[str, Any],
        Field(
            description="{symbols: [..]}, or {symbol, close: [..], ts?: [ns ..]}: bars of your own."
        ),
    ],
    aggregation: Literal["mean", "median", "weighted", "majority", "ensemble"] = "mean",
    horizon: Annotated[int | None, Field(ge=1, le=365)] = None,
    quorum: Annotated[int, Field(ge=1, le=16, description="Models that must answer.")] = 1,
    deadline_ms: Annotated[float, Field(gt=0, le=60_000)] = 10_000,
) -> Provenance:
    """Ask all models of a cluster at once and put their forecasts together; says who answered and who did not."""
    from serve.mcp.together import JointQuestion, answered_together

    found = await asyncio.to_thread(lambda: _committees(call).get(cluster_id))
    method = AGGREGATIONS.get(aggregation, aggregation)
    question = JointQuestion(input_data, method, horizon, quorum, deadline_ms)
    return await answered_together(call, found, question)


@tool(Toolset.CLUSTER, Permission.MODEL_ADMIN, changes=True)
async def neural_train_distributed(
    call: Caller,
    context: Context[Any, Any],
    *,
    cluster_id: ClusterName,
    dataset: Annotated[str, Field(description="sp500 or catalogue:NAME; empty: configured.")] = "",
    epochs: Epochs = None,
    batch_size: Annotated[int | None, Field(ge=1, le=4_096)] = None,
    learning_rate: Annotated[float | None, Field(gt=0, le=1)] = None,
    optimizer: Annotated[str, Field(description="adamw. No other exists.")] = "adamw",
    federated: Annotated[bool, Field(description="Does not exist: false.")] = False,
    workers: Annotated[int, Field(ge=1, le=256)] = 2,
    use_gpu: UseGpu = True,
    wait_seconds: WaitSeconds = WAIT_S,
) -> JobReport:
    """Train new versions of a cluster's architectures on Ray: one architecture shared by `workers`, several all at once. A job."""
    from serve.mcp.training import training

    if federated or optimizer.lower() not in ("adamw", "adam"):
        raise UsageError("Only AdamW on shared data exists here: federated=false, optimizer=adamw.")
    desk = await asyncio.to_thread(lambda: call.desk)
    kinds = await asyncio.to_thread(_kinds, call, cluster_id)
    request = await asyncio.to_thread(
        lambda: training(
            desk,
            kinds,
            dataset,
            epochs=epochs,
            settings={"batch_size": batch_size, "learning_rate": learning_rate},
            workers=workers if len(kinds) == 1 else 1,
        )
    )
    return await worked(call, context, request, wait_seconds, trainers_choice(use_gpu))


@tool(Toolset.CLUSTER, Permission.MODEL_ADMIN, changes=True, is_destructive=True)
def neural_cluster_terminate(call: Caller, cluster_id: ClusterName) -> ClusterFacts:
    """Forget a cluster. Its models stay registered and loaded."""
    return ClusterFacts(**_facts(_committees(call).remove(cluster_id), "terminated"))


def _committees(call: Call) -> Committees:
    return Committees(call.desk.forecasts.registry)


def _facts(found: Committee, status: str) -> dict[str, Any]:
    return {
        "source": Source.REGISTRY,
        "as_of": now(),
        "cluster_id": found.name,
        "status": status,
        "topology": STAR,
        "members": list(found.members),
        "created_by": found.created_by,
        "created_at": moment(found.created_at),
    }


def _node(call: Call, reference: str, loaded: dict[str, int]) -> NodeFacts:
    registry = call.desk.forecasts.registry
    manifest = registry.manifest(reference)
    return NodeFacts(
        model=manifest.reference,
        architecture=manifest.kind,
        part=registry.aliases(manifest.name).part_of(manifest.version),
        is_loaded=manifest.reference in loaded,
        runs=loaded.get(manifest.reference, 0),
        horizon=manifest.horizon,
        crps=manifest.metrics.get("crps"),
    )


def _kinds(call: Call, cluster_id: str) -> list[str]:
    registry = call.desk.forecasts.registry
    members = _committees(call).get(cluster_id).members
    return list(dict.fromkeys(registry.manifest(each).kind for each in members))
