import torch
from torch import nn


def train(net, loader, epochs, device="cpu", lr=0.001, momentum=0.9, every=250):
    """Train, and return (epoch, loss averaged over the last `every` mini-batches) points."""
    net.to(device).train()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum)
    curve, losses = [], []
    for epoch in range(epochs):
        for i, (images, labels) in enumerate(loader, start=1):
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == every or i == len(loader):
                curve.append((epoch + i / len(loader), sum(losses) / len(losses)))
                losses = []
        print(f"epoch {epoch + 1}: loss {curve[-1][1]:.3f}")
    return curve
