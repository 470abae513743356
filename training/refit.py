"""Fits a taught network's head anew at the end of a run, as the assistant's is fitted to its teacher.

The head that learnt along with the imitation is an afterthought of the steps: it fits the labels
of single windows. Logistic regression on what the network itself says in the teacher's stead,
averaged over a view, is stronger by several points, and folds into the same linear layer.
"""

import numpy as np
import torch

from training.assistant import Assistant
from training.batches import TaughtPart
from training.learner import Mimic
from training.net import GenreNet

BATCH = 512


def refit(net: GenreNet, mimic: Mimic, labelled: TaughtPart, n_labels: int) -> None:
    """Put another head into a network.

    Args:
        net: its head's last layer is overwritten.
        mimic: hidden features to what the teacher says.
        labelled: the labelled views that may teach.
        n_labels: outputs of the network.
    """
    net.eval()
    device = next(net.parameters()).device
    said = []
    with torch.inference_mode():
        for windows in labelled.windows(BATCH):
            x = torch.from_numpy(windows).to(device)
            hidden = net.hidden(x if labelled.found else net.found(x))
            said.append(torch.cat(mimic(hidden), dim=1).cpu().numpy())
        head = Assistant(labelled.means(np.concatenate(said)), labelled.targets, n_labels)
        weight, bias = (torch.from_numpy(value).to(device) for value in head.linear())
        outward = torch.cat((mimic.embedding.weight, mimic.tags.weight))
        net.head.linear.weight.copy_(weight @ outward)
        net.head.linear.bias.copy_(weight @ torch.cat((mimic.embedding.bias, mimic.tags.bias)) + bias)
