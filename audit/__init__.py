"""Measure how far a text model can be trusted, judge it on intervals, keep the record."""
