"""What must be changed when the question changes: the parameters of the sweep, and a constant."""

from hera_k8s_utils import Struct

inputs = Struct(
    parameters=Struct(vintages=[2009, 2012, 2015, 2018], boroughs=list(range(1, 10))),
    constants=Struct(blocks=200),
)
