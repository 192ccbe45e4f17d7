"""Schemas: OpenAPI documents, validation against them, patches and server-side apply."""
