"""Automated, verified refactoring of model code.

Data flows one way through the rooms of this house, from the ground floor up::

    source -> maskflow -> modelrepo -> flex_passthrough -> rewrite -> review
                                                        -> verify

``source`` and ``rewrite`` know nothing of masks and would serve another codemod
as they are; ``flex_passthrough`` is the first codemod that lives here, and
``fleet`` runs it on many repositories.
"""

__version__ = "0.1.0"
