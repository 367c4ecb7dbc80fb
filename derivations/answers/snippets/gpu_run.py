device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
net = Net()
curve = train(net, train_loader, epochs=20, device=device)
torch.save(net.state_dict(), "net.pt")
