from fair_forge.runners import AlquimiaRunner, BaseRunner
