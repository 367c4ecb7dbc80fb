torch.manual_seed(0)
curve = train(Net(), train_loader, epochs=3, device="cpu")

epochs, losses = zip(*curve)
plt.plot(epochs, losses)
plt.xlabel("epoch")
plt.ylabel("training loss, mean over 250 mini-batches")
plt.savefig("loss.png")
