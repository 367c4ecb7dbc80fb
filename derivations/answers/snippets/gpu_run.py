device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
curve = train(Net(), train_loader, epochs=20, device=device)
