"""PyTorch peer of whole training runs of the paper's Figure 2, for throughput (CPU).

usage: python torch_train.py DATA.npz MODEL EPOCHS SEED THREADS
DATA.npz has train_x [N, d], train_y, val_x, val_y, as lconv prepares them. The recipe is the paper's: RMSprop, rate .001, batch 32, a new order each epoch,
validation after each. L-conv takes the faster of two layouts, timed for some steps first. Prints one JSON line: {model, seed, seconds, val_accuracy}.
"""
import json, sys, time
import numpy as np
import torch, torch.nn.functional as F
from torch_lconv import CNN, FC, LConvNet

BATCH = 32


def network(model, layout):
    if model == "lconv": return LConvNet(784, 1, 10, n_L=8, d_h=16, order=layout)
    if model == "lconv-random": return LConvNet(784, 1, 10, n_L=8, d_h=16, order=layout, train_L=False)
    if model == "cnn": return CNN(28, 1, 10, padding=0)
    return FC(784, 1, 10)


def step(net, opt, x, y):
    opt.zero_grad(set_to_none=True)
    F.cross_entropy(net(x), y).backward()
    opt.step()


def start(model, layout, seed):
    torch.manual_seed(seed)
    net = network(model, layout)
    return net, torch.optim.RMSprop([p for p in net.parameters() if p.requires_grad], lr=1e-3, alpha=0.9, eps=1e-7)


def time_of(model, layout, x, y):
    net, opt = start(model, layout, 0)
    for _ in range(5): step(net, opt, x, y)
    t = time.perf_counter()
    for _ in range(30): step(net, opt, x, y)
    return time.perf_counter() - t


def main():
    data, model, epochs, seed, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    torch.set_num_threads(threads)
    files = np.load(data)
    x, vx = (torch.from_numpy(files[name]).unsqueeze(-1) for name in ("train_x", "val_x"))
    y, vy = (torch.from_numpy(files[name].astype(np.int64)) for name in ("train_y", "val_y"))
    layouts = ["auto", "cf-vwu"] if model.startswith("lconv") else [""]
    best = min(layouts, key=lambda layout: time_of(model, layout, x[:BATCH], y[:BATCH])) if len(layouts) > 1 else ""
    net, opt = start(model, best, seed)
    t = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(0, len(x) - BATCH + 1, BATCH):
            part = order[i:i + BATCH]
            step(net, opt, x[part], y[part])
        with torch.no_grad():
            right = sum((net(vx[i:i + 64]).argmax(1) == vy[i:i + 64]).sum().item() for i in range(0, len(vx), 64))
    print(json.dumps(dict(model=model, seed=seed, layout=best, seconds=round(time.perf_counter() - t, 3), val_accuracy=right / len(vx))))


main()
