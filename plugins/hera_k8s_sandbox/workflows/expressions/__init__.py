"""Expressions: the language of `{{=...}}`, of hooks and of retries, which Argo takes from expr-lang and sprig.

What is here is the documented part of expr-lang 1.17: literals, arithmetic, comparison, logic, `?:`, `??`, `in`,
`matches`, `contains`, `startsWith`, `endsWith`, ranges, members, indexes and slices, predicates (`filter(xs, # > 1)`),
pipes, `let`, its functions on numbers, texts and lists; Argo's own (`asInt`, `asFloat`, `toJson`, `jsonpath`), and the
common ones of sprig. A function that is not here is refused by its name before a workflow starts.
"""

from hera_k8s_sandbox.workflows.expressions.environment import check, environment, evaluate, holds, shown
from hera_k8s_sandbox.workflows.expressions.errors import ExpressionError, UnknownFunction

__all__ = ["ExpressionError", "UnknownFunction", "check", "environment", "evaluate", "holds", "shown"]
