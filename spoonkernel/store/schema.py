"""What every table has: the metadata that they belong to, and the columns that are the same in all of them."""

from sqlalchemy import Column, MetaData

from spoonkernel.store.columns import Id, Revision

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def rev_column() -> Column[int]:
    return Column("rev", Revision, nullable=False, index=True)


def id_column() -> Column[str]:
    return Column("id", Id, primary_key=True)


def profile_column(*, nullable: bool) -> Column[str]:
    """A profile named by a row that may outlive it: history is kept, so there is no foreign key."""
    return Column("profile_id", Id, nullable=nullable, index=True)
