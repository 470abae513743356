"""Gives a taught network's head a second opinion at the end of a run.

The head that learnt along with the imitation fits the labels of single windows. A logistic
regression on what the network itself says in the teacher's stead, averaged over a view (as
`training.assistant` is fitted to the teacher), errs elsewhere. Both are linear, so a mixture of
their logits folds into the same layer.
"""

import numpy as np
import torch

from training.assistant import Assistant
from training.batches import TaughtPart
from training.learner import Mimic
from training.net import GenreNet

BATCH = 512


def refit(net: GenreNet, mimic: Mimic, labelled: TaughtPart, n_labels: int, share: float) -> None:
    """Mix a head that is fitted anew into a network's.

    Args:
        net: its head's last layer is changed.
        mimic: hidden features to what the teacher says.
        labelled: the labelled views that may teach.
        n_labels: outputs of the network.
        share: of the new head in the logits.
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
        net.head.linear.weight.lerp_(weight @ outward, share)
        inward = torch.cat((mimic.embedding.bias, mimic.tags.bias))
        net.head.linear.bias.lerp_(weight @ inward + bias, share)
