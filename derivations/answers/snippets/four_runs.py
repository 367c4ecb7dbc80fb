curves = {}
for batch_size, epochs in [(4, 20), (4, 5), (16, 5), (16, 20)]:
    torch.manual_seed(0)
    loader = DataLoader(train_data, batch_size=batch_size, shuffle=True)
    net = Net()
    curves[batch_size, epochs] = train(net, loader, epochs, device)
    torch.save(net.state_dict(), f"net-{batch_size}-{epochs}.pt")
    print(f"batch {batch_size}, {epochs} epochs: {accuracy(net, test_loader, device):.2%}")

plt.figure()
for (batch_size, epochs), curve in curves.items():
    plt.plot(*zip(*curve), label=f"batch {batch_size}, {epochs} epochs")
plt.xlabel("epoch")
plt.ylabel("training loss, mean over 250 mini-batches")
plt.legend()
plt.savefig("curves.png")
