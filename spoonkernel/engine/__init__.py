"""Runs tasks: Docket carries ids to workers, the rows of the store say what is true."""
