"""Operations on objects: create, update, delete, with the rules that concern more than one object."""

from hera_k8s_utils._moved import forward

__getattr__ = forward(__name__)
