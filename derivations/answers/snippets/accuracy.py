import torch


@torch.no_grad()
def accuracy(net, loader, device="cpu"):
    """The part of the images that the network labels correctly."""
    net.to(device).eval()
    correct = 0
    for images, labels in loader:
        predicted = net(images.to(device)).argmax(dim=1)
        correct += (predicted == labels.to(device)).sum().item()
    return correct / len(loader.dataset)


print(f"test accuracy: {accuracy(net, test_loader, device):.2%}")
