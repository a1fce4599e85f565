import ipaddress

from fastapi import Request, Response

from spoonkernel.services.database import Asker
from spoonkernel.types.database import ArrowRequest, ExportRequest, QueryRequest, QueryResult, TableSchema
from spoonserver.deps import WorkbenchDep
from spoonserver.envelope import Data
from spoonserver.lean import while_heard
from spoonserver.media import attachment, binary_docs
from spoonserver.rooms import room

router = room("Database", "/database")


@router.post("/query", response_model=Data[QueryResult])
async def query_database(asked: QueryRequest, request: Request, workbench: WorkbenchDep) -> Response:
    """Run one SELECT over the live store. Reads only, within limits of time, memory, rows and size."""
    async with while_heard(request):
        text = await workbench.database.answer(**asked.given(), asked_by=_asker(request))
    # as it is: reading and writing an answer of megabytes again would hold every other request up
    return Response(b'{"success":true,"data":' + text + b"}", media_type="application/json")


@router.post("/arrow", response_class=Response, responses=binary_docs())
async def query_database_for_arrow(asked: ArrowRequest, request: Request, workbench: WorkbenchDep) -> Response:
    """The same with every row and exact types, as an Arrow IPC stream."""
    async with while_heard(request):
        return attachment(await workbench.database.arrow(**asked.given(), asked_by=_asker(request)))


@router.post("/export", response_class=Response, responses=binary_docs())
async def export_query(asked: ExportRequest, request: Request, workbench: WorkbenchDep) -> Response:
    """The same as a file: CSV with guarded formula cells, JSON or Parquet."""
    async with while_heard(request):
        return attachment(await workbench.database.export(**asked.given(), asked_by=_asker(request)))


@router.get("/tables")
async def list_tables(request: Request, workbench: WorkbenchDep) -> Data[list[str]]:
    """The tables and views that can be asked."""
    return Data(data=await workbench.database.tables(asked_by=_asker(request)))


@router.get("/tables/{name}/schema", response_model_exclude_none=True)
async def get_table_schema(name: str, request: Request, workbench: WorkbenchDep) -> Data[TableSchema]:
    """The columns of one table or view, with what each holds."""
    return Data(data=await workbench.database.schema(name, asked_by=_asker(request)))


def _asker(request: Request) -> Asker:
    """The client. Near is who reached us through this machine's loopback, on both ends of the connection."""
    client = request.client.host if request.client else "unknown"
    server = request.scope.get("server") or ("", None)
    return Asker(who=client, is_near=_is_loopback(client) and _is_loopback(str(server[0])))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
