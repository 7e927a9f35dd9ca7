from fair_forge.metrics import Humanity
