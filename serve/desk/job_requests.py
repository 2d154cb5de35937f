"""Every request that becomes a job, and the command line that it becomes."""

from serve.desk.requests.agents import (
    DemoteAgentRequest,
    ListAgentsRequest,
    PromoteAgentRequest,
    ShowAgentRequest,
    SubmitAgentRequest,
)
from serve.desk.requests.data import CheckDataRequest
from serve.desk.requests.laboratory import (
    BacktestRequest,
    CheckRequest,
    SweepRequest,
    TuneRequest,
)
from serve.desk.requests.models import (
    CompareModelsRequest,
    ForecastRequest,
    TrainRequest,
    VerifyModelsRequest,
)
from serve.desk.requests.request import JobRequest, arguments_of, begin, files_of
from serve.desk.requests.risk import RiskReportRequest, RiskStressRequest
from serve.desk.requests.sandbox import (
    CheckSandboxRequest,
    ExecuteSandboxRequest,
    RunSandboxRequest,
)

__all__ = [
    "BacktestRequest",
    "CheckDataRequest",
    "CheckRequest",
    "CheckSandboxRequest",
    "CompareModelsRequest",
    "DemoteAgentRequest",
    "ExecuteSandboxRequest",
    "ForecastRequest",
    "JobRequest",
    "ListAgentsRequest",
    "PromoteAgentRequest",
    "RiskReportRequest",
    "RiskStressRequest",
    "RunSandboxRequest",
    "ShowAgentRequest",
    "SubmitAgentRequest",
    "SweepRequest",
    "TrainRequest",
    "TuneRequest",
    "VerifyModelsRequest",
    "arguments_of",
    "begin",
    "files_of",
]
