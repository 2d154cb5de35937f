"""Configuration: the model, where its values come from, the live gate and the cluster secret."""

from cluster.config.loading import Loaded, load, load_config
from cluster.config.model import Config
from cluster.config.secret import cluster_secret

__all__ = ["Config", "Loaded", "cluster_secret", "load", "load_config"]
