"""Queries: answered from current aggregates, file trees and read models."""
