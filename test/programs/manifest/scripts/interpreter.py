# SPDX-License-Identifier: MIT
#
# A small Lisp: reader, closures, tail calls, macros-free; enough to compute something.

import operator
import re
import sys
from functools import reduce


class Symbol(str):
    pass


def read(text):
    tokens = re.findall(r"""[()']|"(?:\\.|[^"])*"|;[^\n]*|[^\s()']+""", text)
    tokens = [token for token in tokens if not token.startswith(";")]
    position = 0

    def one():
        nonlocal position
        token = tokens[position]
        position += 1
        if token == "(":
            items = []
            while tokens[position] != ")":
                items.append(one())
            position += 1
            return items
        if token == "'":
            return [Symbol("quote"), one()]
        if token.startswith('"'):
            return token[1:-1].replace('\\n', '\n').replace('\\"', '"')
        try:
            return int(token)
        except ValueError:
            return Symbol(token)

    while position < len(tokens):
        yield one()


class Scope(dict):
    def __init__(self, names=(), values=(), outer=None):
        super().__init__(zip(names, values))
        self.outer = outer

    def holder(self, name):
        scope = self
        while scope is not None:
            if name in scope:
                return scope
            scope = scope.outer
        raise NameError(f"no {name}")


class Function:
    def __init__(self, names, body, scope):
        self.names, self.body, self.scope = names, body, scope


def evaluate(x, scope):
    while True:
        if isinstance(x, Symbol):
            return scope.holder(x)[x]
        if not isinstance(x, list):
            return x
        head = x[0]
        if head == "quote":
            return x[1]
        if head == "if":
            x = x[2] if evaluate(x[1], scope) is not False else (x[3] if len(x) > 3 else None)
        elif head == "define":
            if isinstance(x[1], list):
                scope[x[1][0]] = Function(x[1][1:], x[2:], scope)
            else:
                scope[x[1]] = evaluate(x[2], scope)
            return None
        elif head == "set!":
            scope.holder(x[1])[x[1]] = evaluate(x[2], scope)
            return None
        elif head == "lambda":
            return Function(x[1], x[2:], scope)
        elif head == "let":
            scope = Scope([b[0] for b in x[1]], [evaluate(b[1], scope) for b in x[1]], scope)
            for part in x[2:-1]:
                evaluate(part, scope)
            x = x[-1]
        else:
            function, *args = (evaluate(part, scope) for part in x)
            if not isinstance(function, Function):
                return function(*args)
            if len(args) != len(function.names):
                raise TypeError(f"{len(args)} arguments for {len(function.names)}")
            scope = Scope(function.names, args, function.scope)
            for part in function.body[:-1]:
                evaluate(part, scope)
            x = function.body[-1]


def show(x):
    if isinstance(x, list):
        return "(" + " ".join(map(show, x)) + ")"
    return {True: "#t", False: "#f"}.get(x, str(x)) if isinstance(x, bool) else str(x)


GLOBAL = Scope()
GLOBAL.update({
    "+": lambda *a: sum(a), "*": lambda *a: reduce(operator.mul, a, 1), "-": operator.sub, "/": operator.floordiv,
    "mod": operator.mod, "<": operator.lt, "=": operator.eq, "car": lambda l: l[0], "cdr": lambda l: l[1:],
    "cons": lambda a, l: [a] + l, "null?": lambda l: l == [], "list": lambda *a: list(a),
    "print": lambda *a: print(*map(show, a)),
})

for form in read(sys.stdin.read()):
    try:
        evaluate(form, GLOBAL)
    except (NameError, TypeError, IndexError, ZeroDivisionError, RecursionError) as error:
        print("error:", error)
