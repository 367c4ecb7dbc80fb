import torch
from torch import nn


def train(net, loader, epochs, device="cpu", lr=0.001, momentum=0.9, every=250):
    """Train, and return (epoch, loss averaged over `every` mini-batches) points for a plot."""
    net.to(device).train()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=momentum)
    curve = []
    for epoch in range(epochs):
        losses, total = [], 0.0
        for i, (images, labels) in enumerate(loader, start=1):
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            losses.append(loss.item())
            if len(losses) == every or i == len(loader):
                curve.append((epoch + i / len(loader), sum(losses) / len(losses)))
                losses = []
        print(f"epoch {epoch + 1}: mean loss {total / len(loader):.3f}")
    return curve
