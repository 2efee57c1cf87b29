"""The national list of techniques (Circular 23/2024/TT-BYT, Annex 01)."""

from sqlmodel import Field, SQLModel


class Technique(SQLModel, table=True):
    """One technique. What a newer list no longer has is not offered any more, but stays."""

    __tablename__ = "technique"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=12, unique=True)
    name: str = Field(max_length=300)
    search_text: str = Field(default="")
    is_active: bool = True
